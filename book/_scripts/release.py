"""Writes a new version into all files that name one: `make release VERSION=0.2.0`.

The package's version, the changelog (what is unreleased gets the version and the date), the address that the set-up
cell of every chapter and the README install from (it becomes the tag), the version that each chapter asks for, and the
citation. Nothing is committed: it says what is left to type.
"""

import datetime
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNRELEASED = "## Unreleased\n"


class Refused(Exception):
    """Why there is no release now; nothing was written."""


def numbers(version: str) -> tuple[int, ...]:
    """0.2.0 -> (0, 2, 0). Raises Refused on anything else than three numbers."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise Refused(f"a version is three numbers, as 0.2.0, got {version!r}")
    return tuple(map(int, version.split(".")))


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


def address_in(root: Path) -> str:
    """Where pip installs from; _config.yml is the one place that holds it."""
    (url,) = re.findall(r"^  url: (\S+)$", (root / "_config.yml").read_text(), re.M)
    return f"git+{url}"


def replaced(pattern: str, new: str, text: str, what: str) -> str:
    """The text with what the pattern finds replaced. Raises Refused if it finds nothing."""
    text, found = re.subn(pattern, new, text, flags=re.M)
    if not found:
        raise Refused(f"nothing to replace in {what}")
    return text


def check(root: Path, version: str) -> None:
    """Raises Refused unless the tree is clean and the version newer than all that were released."""
    new = numbers(version)
    if git(root, "status", "--porcelain").strip():
        raise Refused("there are changes that are not committed: commit them first")
    tags = re.findall(r"^v(\d+\.\d+\.\d+)$", git(root, "tag"), re.M)
    logged = re.findall(r"^## (\d+\.\d+\.\d+)", (root / "CHANGELOG.md").read_text(), re.M)
    if old := [v for v in {*tags, *logged} if numbers(v) >= new]:
        raise Refused(f"{version} is not newer than {max(old, key=numbers)}, which is released")
    (present,) = re.findall(r'__version__ = "(.+)"', (root / "srvp_lite" / "version.py").read_text())
    if numbers(present) > new:
        raise Refused(f"{version} is older than what the package calls itself, {present}")


def new_chapter(text: str, address: str, version: str, name: str) -> str:
    """A notebook that installs and asks for this version; its outputs stay."""
    notebook = json.loads(text)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    before = "".join(sum((cell["source"] for cell in code), []))
    for pattern in (re.escape(address), r'begin\(\s*book="'):
        if not re.search(pattern, before):
            raise Refused(f"no set-up cell with {pattern} in {name}")
    for cell in code:
        source = re.sub(rf"{re.escape(address)}(@[\w.]+)?", f"{address}@v{version}", "".join(cell["source"]))
        source = re.sub(r'(begin\(\s*book=)"[^"]+"', rf'\g<1>"{version}"', source)
        cell["source"] = source.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def new_texts(root: Path, version: str, date: str) -> dict[Path, str]:
    """The files that name a version, as they will be."""
    texts, address = {}, address_in(root)

    def change(name: str, *changes: tuple[str, str]) -> None:
        text = (root / name).read_text()
        for pattern, new in changes:
            text = replaced(pattern, new, text, name)
        texts[root / name] = text

    change("srvp_lite/version.py", (r'__version__ = ".+"', f'__version__ = "{version}"'))
    change("README.md", (rf"{re.escape(address)}(@[\w.]+)?", f"{address}@v{version}"))
    citation = re.sub(r"^(version|date-released):.*\n", "", (root / "CITATION.cff").read_text(), flags=re.M)
    texts[root / "CITATION.cff"] = replaced(
        r"^license:", f"version: {version}\ndate-released: {date}\nlicense:", citation, "CITATION.cff"
    )
    log = (root / "CHANGELOG.md").read_text()
    changes = re.search(rf"^{UNRELEASED}(.*?)(?=^## |\Z)", log, re.M | re.S)
    if changes is None or not changes[1].strip():
        raise Refused("CHANGELOG.md says nothing under ## Unreleased")
    texts[root / "CHANGELOG.md"] = log.replace(UNRELEASED, f"{UNRELEASED}\n## {version} ({date})\n", 1)
    for path in sorted((root / "notebooks").glob("[0-9]*.ipynb")):
        texts[path] = new_chapter(path.read_text(), address, version, path.name)
    return texts


def release(root: Path, version: str, date: str) -> None:
    """Raises Refused, with nothing written, if something is amiss."""
    check(root, version)
    for path, text in new_texts(root, version, date).items():
        path.write_text(text)


def main(arguments: list[str]) -> None:
    if len(arguments) != 1:
        sys.exit("which version? make release VERSION=0.2.0")
    (version,) = arguments
    try:
        release(ROOT, version, datetime.date.today().isoformat())
    except Refused as reason:
        sys.exit(f"no release: {reason}")
    print(f"All files say {version}. Look at them (git diff), then type:\n")
    print(f'    git commit -a -m "Version {version}" && git tag v{version}')
    print(f"    git push origin main v{version}")


if __name__ == "__main__":
    main(sys.argv[1:])
