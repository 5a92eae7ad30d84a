"A fake program `ollama`, and archives of it."

from __future__ import annotations

import io
import os
import signal
import socket
import sys
import tarfile
import zipfile
from pathlib import Path

# The environment variable for the file to which the program writes its process id.
PID_FILE = "PID_FILE"

SERVE = f"""
import http.server, json, os
models = []
class Ollama(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"null")
        if self.path == "/api/pull":
            models.append({{"name": body["model"], "size": 1}})
        answer = {{
            "/api/version": {{"version": "1.2.3"}},
            "/api/tags": {{"models": models}},
            "/api/ps": {{"models": models}},
            "/api/pull": {{"status": "success"}},
            "/api/generate": {{"done": True, "done_reason": "load"}},
        }}[self.path]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())
    do_POST = do_GET
with open(os.environ["{PID_FILE}"], "w") as file:
    file.write(str(os.getpid()))
port = int(os.environ["OLLAMA_HOST"].rpartition(":")[2])
http.server.HTTPServer(("127.0.0.1", port), Ollama).serve_forever()
"""
SCRIPT = f"#!/bin/sh\ntest \"$1\" = serve && exec {sys.executable} -S -E -c '{SERVE}'\n"


def program(path: Path, script: str) -> Path:
    "Write an executable shell script."
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(script if script.startswith("#!") else f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def alive(pid_file: Path) -> bool:
    "Whether the program that writes its process id to this file is running."
    try:
        os.kill(int(pid_file.read_text()), 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return False
    return True


def kill(pid_file: Path) -> None:
    if alive(pid_file):
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
        os.waitpid(int(pid_file.read_text()), 0)


def tar(**files: str) -> bytes:
    "A tar of executable files by name. A value that begins with -> is a symbolic link."
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as content:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if text.startswith("->"):
                info.type, info.linkname = tarfile.SYMTYPE, text[2:]
            info.size = 0 if info.issym() else len(text.encode())
            content.addfile(info, io.BytesIO(text.encode()))
    return data.getvalue()


def zipped(**files: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as content:
        for name, text in files.items():
            content.writestr(name, text)
    return data.getvalue()
