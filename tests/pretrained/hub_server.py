"""A hub on this machine: the routes that pulling and pushing ask for, and the ways in which they go wrong."""

import base64
import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef" * 2 + "01234567"


def blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Hub:
    """What the server has and does.

    `files` by "owner/name"; `told` changes the listing before it is sent; `cut` ends an answer after so many bytes,
    once for each entry; `ranges` whether Range is understood; `sent` replaces a file's content; `status` answers all.
    """

    def __init__(self):
        self.files = {}
        self.told = lambda listing: listing
        self.cut = []
        self.ranges = True
        self.sent = {}
        self.status = None
        self.requests = []
        self.pushed = {}

    def listing(self, name):
        siblings = []
        for path, content in self.files[name].items():
            entry = {"rfilename": path, "size": len(content), "blobId": blob_id(content)}
            if path.endswith(("safetensors", ".npz")):
                entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest()}
            siblings.append(entry)
        return self.told({"id": name, "sha": COMMIT, "siblings": siblings})

    def asked(self, part):
        """The headers of the requests whose path has this part."""
        return [headers for path, headers in self.requests if part in path]


def handler(hub):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def answer(self, content, status=200, **headers):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            cut = hub.cut.pop(0) if hub.cut and "/cdn/" in self.path else None
            self.wfile.write(content[:cut])

        def do_GET(self):
            path = unquote(urlsplit(self.path).path)
            hub.requests.append((path, dict(self.headers)))
            if hub.status:
                return self.answer(b"{}", hub.status)
            if path.startswith("/api/models/"):
                name = "/".join(path.split("/")[3:5])
                if name not in hub.files or not path.endswith(("/revision/main", COMMIT)):
                    return self.answer(b'{"error": "Repository not found"}', 404)
                return self.answer(json.dumps(hub.listing(name)).encode())
            if path.startswith("/api/"):
                return self.answer(b"{}", 404)
            if not path.startswith(
                ("/cdn/", "/within/")
            ):  # as the hub sends on, first within itself
                return self.answer(b"", 307, Location="/within" + self.path)
            if path.startswith("/within/"):  # and then to the storage of another host
                storage = f"http://localhost:{self.server.server_port}/cdn"
                return self.answer(b"", 302, Location=storage + self.path.removeprefix("/within"))
            name, _, file = path.removeprefix("/cdn/").partition(f"/resolve/{COMMIT}/")
            content = hub.sent.get(file, hub.files[name][file])
            asked = self.headers.get("Range")
            if asked and hub.ranges:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                return self.answer(content[start:], 206)
            return self.answer(content)

        def do_POST(self):
            hub.requests.append((self.path, dict(self.headers)))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            if hub.status:
                return self.answer(b"{}", hub.status)
            if self.path == "/api/repos/create":
                asked = json.loads(body)
                name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
                return self.answer(
                    json.dumps({"url": f"http://{self.headers['Host']}/{name}"}).encode()
                )
            if "/preupload/" in self.path:
                files = [
                    {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for f in json.loads(body)["files"]
                ]
                return self.answer(json.dumps({"files": files, "commitOid": COMMIT}).encode())
            if "/commit/" not in self.path:  # such as a check of the card's header
                return self.answer(b'{"errors": [], "warnings": []}')
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    hub.pushed[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            place = f"http://{self.headers['Host']}/{'/'.join(self.path.split('/')[3:5])}"
            found = {"commitUrl": f"{place}/commit/{COMMIT}", "commitOid": COMMIT}
            return self.answer(json.dumps(found | {"pullRequestUrl": None}).encode())

    return Handler


@contextlib.contextmanager
def serving():
    """The hub and its address."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(hub))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
