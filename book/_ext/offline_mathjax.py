"""Sphinx extension: equations by the MathJax of the wheel sphinx-mathjax-offline, drawn as SVG.

The wheel's own choice draws letters with font files, which browsers refuse to a page opened as a file.
"""


def setup(app):
    app.setup_extension("sphinx-mathjax-offline")
    app.config.mathjax_path = "mathjax/tex-svg.js"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
