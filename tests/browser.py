"""A headless browser as a judge: what colours it shows."""

import contextlib
import http.server
import json
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

_NAMES = "chromium", "chromium-browser", "google-chrome", "chrome"
_PAGE = """<video id=v muted preload=auto src=film.mp4></video><script>
const send = (data) => fetch('/found', {method: 'POST', body: JSON.stringify(data)});
v.onerror = () => send({error: v.error.message});
v.onloadeddata = () => { v.currentTime = v.duration - 0.05; };
v.onseeked = () => {
  const canvas = document.createElement('canvas');
  canvas.width = v.videoWidth; canvas.height = v.videoHeight;
  const context = canvas.getContext('2d');
  context.drawImage(v, 0, 0);
  const pixels = PLACES.map(([x, y]) => Array.from(context.getImageData(x, y, 1, 1).data));
  send({pixels, seconds: v.duration, size: [v.videoWidth, v.videoHeight]});
};
</script>"""


def find_browser():
    """The browser; the test is skipped where there is none."""
    browser = next(filter(None, map(shutil.which, _NAMES)), None)
    if browser is None:
        pytest.skip("there is no Chromium")
    return browser


def show_picture(file, size):
    """What a browser shows of an SVG, as a PNG file beside it."""
    picture = Path(file).with_suffix(".browser.png").resolve()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--hide-scrollbars",
            "--force-color-profile=srgb",
            f"--window-size={size},{size}",
            f"--user-data-dir={profile}",
            f"--screenshot={picture}",
        ]
        command = [find_browser(), *options, Path(file).resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=100)
    return picture


def show_film(file, places):
    """Show a film's last frame in a browser.

    Args:
        file: the film.
        places: x, y of pixels.

    Returns:
        ``pixels``, RGBA of each of them; ``seconds``; ``size``, width and height. The test is
        skipped where there is no browser.
    """
    browser, found, answered = find_browser(), {}, threading.Event()
    page = _PAGE.replace("PLACES", json.dumps(places)).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            data = Path(file).read_bytes() if self.path == "/film.mp4" else page
            self.send_response(200)
            self.send_header("Content-Type", "video/mp4" if data is not page else "text/html")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(BrokenPipeError):
                self.wfile.write(data)

        def do_POST(self):
            found.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            answered.set()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--mute-audio",
            "--no-first-run",
            "--autoplay-policy=no-user-gesture-required",
            f"--user-data-dir={profile}",
        ]
        address = f"http://127.0.0.1:{server.server_port}/"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([browser, *options, address], **quiet) as process:
            try:
                assert answered.wait(40), "the browser did not answer"
            finally:
                process.terminate()
                process.wait()
    server.shutdown()
    server.server_close()
    assert "error" not in found, found
    return found
