"""Holds the signatures of the package true while its tests run.

`--jaxtyping-packages` in pyproject.toml names the packages whose every call is checked, and the checker below. The
commands are left out: tyro is told defaults there that are not of the field's type.
"""

import beartype

# A whole number is a fine value for a float, as everywhere in Python.
checked = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))
