"""How long a thousand strokes take as a picture, films and SVG at 512 px, and their size.

python tests/benchmarks/bench_exports.py
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from test_stroke_log import some_log

from strokenet_gym import export


def main():
    with tempfile.TemporaryDirectory() as folder:
        for brush in ("pencil", "watercolour", "marker"):
            log = some_log(brush, 1000)
            export(some_log(brush, 1), Path(folder) / "warm.svg")
            for suffix in (".png", ".mp4", ".gif", ".svg"):
                file, begun = Path(folder) / f"a{suffix}", time.perf_counter()
                export(log, file, 512)
                seconds, size = time.perf_counter() - begun, file.stat().st_size / 1e6
                print(f"{brush:12} {suffix}  {seconds:6.1f} s  {size:6.2f} MB", flush=True)


if __name__ == "__main__":
    main()
