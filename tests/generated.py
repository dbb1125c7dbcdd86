"""The generated parts of README.md and docs/: `make docs` writes them, a test compares them."""

from __future__ import annotations

from pathlib import Path

from sidecar.core import deviations
from sidecar.telemetry import reference

ROOT = Path(__file__).parent.parent
_BEGIN = "<!-- deviations: made by `make docs` from sidecar/core/deviations.py -->\n"
_END = "<!-- /deviations -->"


def expected() -> dict[Path, str]:
    """What each file should hold."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return {
        readme: f"{before}{_BEGIN}{deviations.markdown()}{_END}{after}",
        ROOT / "docs" / "metrics.md": reference.markdown(),
    }


if __name__ == "__main__":
    for path, text in expected().items():
        path.write_text(text)
        print(f"wrote {path.relative_to(ROOT)}")
