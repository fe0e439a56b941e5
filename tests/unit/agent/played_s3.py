"""GET and PUT of objects over HTTP, as S3 answers them. Signatures are looked at for their shape alone."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from vagus_agent.fake_bucket import FakeBucket

BUCKET = "claims-bucket"
SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=\w+/\d{8}/eu-west-1/s3/aws4_request, "
    r"SignedHeaders=host;x-amz-content-sha256;x-amz-date(;x-amz-security-token)?, Signature=[0-9a-f]{64}"
)
SKEWED = "The difference between the request time and the current time is too large."


@contextmanager
def played_s3(bucket: FakeBucket, ahead: float = 0.0) -> Iterator[str]:
    """Its address, for AWS_ENDPOINT_URL_S3. Objects are those of a fake bucket; what is not signed is denied, and
    what was signed more than 15 minutes from now is refused. `ahead`: of the caller's clock, in seconds."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not self._signed():
                return
            found = bucket.objects.get(self._key())
            if found is None:
                self._error(404, "NoSuchKey", "The specified key does not exist.")
            else:
                self._reply(200, found)

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self._signed():
                bucket.objects[self._key()] = body
                self._reply(200, b"")

        def _key(self) -> str:
            return self.path.removeprefix(f"/{BUCKET}/")

        def _signed(self) -> bool:
            if SIGNED.fullmatch(self.headers.get("Authorization", "")):
                return not self._skewed()
            self._error(403, "AccessDenied", "Access Denied")
            return False

        def _skewed(self) -> bool:
            signed = datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            if abs(time.time() + ahead - signed.timestamp()) < 15 * 60:
                return False
            self._error(403, "RequestTimeTooSkewed", SKEWED)
            return True

        def _error(self, status: int, code: str, message: str) -> None:
            self._reply(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())

        def _reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
