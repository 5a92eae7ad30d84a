"Who may use the server, and what others learn: row F19, and findings 4, 6, 7, 8 and 12."

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from support.faults.answers import CALL, HELLO
from support.faults.client import CHAT, RESPONSES, Client, chat, response
from support.faults.ollama import BEGIN
from support.faults.process import Server
from support.faults.row import Unexpected, expect, expect_in, row, wait_for
from support.faults.testbed import Testbed
from support.scripted_server import HOLD, stream

STRANGERS = (
    {"Host": "evil.example"},
    {"Origin": "https://evil.example"},
    {"Host": "evil.example", "Origin": "http://evil.example"},
)


@row("F19")
def names_and_pages_of_strangers(bed: Testbed) -> str:
    "A browser sends `Host: evil.example`, or `Origin: https://evil.example`."
    for headers in STRANGERS:
        for path in ("/v1/models", CHAT, "/health", "/"):
            came = bed.client.get(path, **headers)
            expect(f"status of {path} with {headers}", came.status, 403)
    return f"403 for each path: {came.error.get('message')}"


@row("4")
def strangers_in_every_mode_without_keys(bed: Testbed) -> str:
    "The same with --allow-unauthenticated, on loopback and on all addresses."
    for options in ([], ["--host", "0.0.0.0"]):
        with bed.serving("--allow-unauthenticated", *options) as server:
            expect("status without a strange name", server.client.get("/v1/models").status, 200)
            for headers in STRANGERS:
                for path in ("/v1/models", "/v1/responses/resp_1", "/health"):
                    came = server.client.get(path, **headers)
                    expect(f"status of {path} with {headers} and {options}", came.status, 403)
    return "403 for each path in both modes"


def new_key(bed: Testbed, folder: Path, name: str, *options: str) -> str:
    ran = bed.llm("gpt-oss", "keys", "add", name, *options, folder=folder)
    expect("exit status of `keys add`", ran.status, 0)
    return max(ran.stdout.split(), key=len)


@row("6")
def an_id_that_another_client_uses_too(bed: Testbed) -> str:
    "Another key uses the id of a custom tool's call for the call of a function, and for another custom call."
    folder = bed.folder()
    keys = [new_key(bed, folder, name) for name in ("mine", "other")]
    with bed.serving(folder=folder) as server:
        mine, other = map(server.client.with_key, keys)
        first = bed.ollama.play(CALL.format("patch", '{"input": "*** x"}'))
        tools = [{"type": "custom", "name": "patch"}]
        made = mine.post(RESPONSES, response(first.word, tools=tools)).json()
        call = next(item for item in made["output"] if item["type"] == "custom_tool_call")
        second = bed.ollama.play(HELLO)
        output = {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "done"}
        next_request = response("", tools=tools, previous_response_id=made["id"])
        next_request["input"] = [output, {"role": "user", "content": second.word}]
        after = mine.post(RESPONSES, next_request).json()
        paths = (f"/v1/responses/{made['id']}", f"/v1/responses/{after['id']}/input_items")
        before = [mine.get(path).json() for path in paths]
        for kind in ("function", "custom"):
            script = bed.ollama.play(HELLO)
            function = {"name": "patch", "arguments": "{}"}
            sent = {"id": call["call_id"], "type": "function", "function": function}
            if kind == "custom":
                sent = {**sent, "type": "custom", "custom": {"name": "look", "input": "x"}}
            history = [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": None, "tool_calls": [sent]},
                {"role": "tool", "tool_call_id": sent["id"], "content": "evil"},
                {"role": "user", "content": script.word},
            ]
            expect("status of the other's request", other.post(CHAT, chat("", messages=history)).status, 200)
        expect("what its own client gets afterwards", [mine.get(path).json() for path in paths], before)
        for path in paths:
            expect("what the other client gets", other.get(path).status, 404)
    return "the items are the same as before; the other client gets 404"


@row("7")
def a_busy_conversation_of_another_key(bed: Testbed) -> str:
    "A response continues a conversation, and others want to continue it: another key, and the same key."
    folder = bed.folder()
    keys = [new_key(bed, folder, name) for name in ("mine", "other")]
    with bed.serving("--workers", "2", folder=folder) as server:
        server.wait_until_ready()
        mine, other = map(server.client.with_key, keys)
        id = mine.post("/v1/conversations", {}).json()["id"]
        script = bed.ollama.play(HELLO)
        expect("idle", mine.post(RESPONSES, response(script.word, conversation=id)).status, 200)
        idle = other.post(RESPONSES, response("Hi", conversation=id))
        held = bed.ollama.play(stream(*BEGIN, HOLD))
        data = {**response(held.word, conversation=id), "stream": True}
        own, bare = set(), set()
        with mine.stream(RESPONSES, data) as came:
            came.read_until("Hello")
            busy = other.post(RESPONSES, response("Hi", conversation=id))
            for _ in range(8):  # both workers
                own.add(mine.post(RESPONSES, response("Hi", conversation=id)).status)
                without_prefix = response("Hi", conversation=id.removeprefix("conv_"))
                bare.add(mine.post(RESPONSES, without_prefix).status)
    expect("what another key gets", (busy.status, busy.error), (idle.status, idle.error))
    expect("status for another key", busy.status, 404)
    expect("statuses for its own key", own, {409})
    expect("statuses of an id without conv_, except for 404 and 409", bare - {404, 409}, set())
    return "another key gets the same 404 as if it were idle; its own gets 409 from both workers"


@row("8")
def secrets_in_requests(bed: Testbed) -> str:
    "A tool of type mcp has a header with a secret, and `user:password@` in its `server_url`."
    secrets = ("s3cret-header-value", "s3cret-password", "s3cret-key-value")
    with bed.serving() as server:
        for tools_of in (RESPONSES, CHAT):
            script = bed.ollama.play(HELLO)
            tool = {
                "type": "mcp",
                "server_label": "crm",
                "server_url": f"https://user:{secrets[1]}@crm.example/mcp",
                "headers": {"X-Crm-Session": secrets[0], "Authorization": f"Bearer {secrets[2]}"},
            }
            body = response(script.word) if tools_of == RESPONSES else chat(script.word)
            came = server.client.post(tools_of, {**body, "tools": [tool]})
            if came.status >= 500:
                raise Unexpected(f"{came.status} {came.text[:300]}")
        expect("exit status", server.stop(), 0)
        data = b"".join(path.read_bytes() for path in server.folder.rglob("*") if path.is_file())
    for secret in secrets:
        expect(f"{secret} in the log or the output", secret.encode() in data, False)
    return f"{came.status}; no secret is in the log, nor in what the server prints"


@row("8")
def a_key_on_the_command_line(bed: Testbed) -> str:
    "The server gets its key with --key, and from the environment."
    key = "a-key-of-more-than-twenty-characters"
    with bed.serving("--key", key) as server:
        expect("status with the key", server.client.with_key(key).get("/v1/models").status, 200)
        expect("status without", server.client.get("/v1/models").status, 401)
        output = server.output
    expect_in("output", "Warning", output)
    with bed.serving(variables={"LLM_GPT_OSS_PROXY_KEY": key}) as server:
        expect("status with the key", server.client.with_key(key).get("/v1/models").status, 200)
        command_line = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
        expect("the key in the list of processes", key.encode() in command_line, False)
        expect("a warning", "Warning" in server.output, False)
    return next(line for line in output.splitlines() if "Warning" in line)


@row("8")
def a_log_that_everybody_can_read(bed: Testbed) -> str:
    "`logs.db` has the mode 0644, as llm makes it. Then `llm gpt-oss logs protect`."
    folder = bed.folder()
    ran = bed.llm("-m", "gpt-oss", bed.ollama.play(HELLO).word, folder=folder)
    expect("exit status", ran.status, 0)
    path = folder / "logs.db"
    path.chmod(0o644)
    for parent in (folder, bed.base):  # otherwise nobody could reach the file
        parent.chmod(0o711)
    with bed.serving(folder=folder) as server:
        server.client.get("/health")
        output = server.output
    expect_in("output", "logs protect", output)
    expect("exit status", bed.llm("gpt-oss", "logs", "protect", folder=folder).status, 0)
    expect("mode", oct(path.stat().st_mode & 0o777), oct(0o600))
    with bed.serving(folder=folder) as server:
        server.client.get("/health")
        expect("the line after that", "logs protect" in server.output, False)
    return next(line for line in output.splitlines() if "logs protect" in line)


@row("8")
def a_new_key_with_a_revoked_name(bed: Testbed) -> str:
    "A key is revoked, and one with its name is made. Then no key is left, and the server starts again."
    folder = bed.folder()
    old = new_key(bed, folder, "laptop")
    with bed.serving(folder=folder) as server:
        id = server.client.with_key(old).respond(bed.ollama.play(HELLO).word).json()["id"]
        bed.llm("gpt-oss", "keys", "revoke", "laptop", folder=folder)
        new = new_key(bed, folder, "laptop")
        expect("status with the new key", server.client.with_key(new).get("/v1/models").status, 200)
        expect("the old response", server.client.with_key(new).get(f"/v1/responses/{id}").status, 404)
        expect("status with the old key", server.client.with_key(old).get("/v1/models").status, 401)
        bed.llm("gpt-oss", "keys", "revoke", "laptop", folder=folder)
        expect("status without a key", server.client.get("/v1/models").status, 401)
    with bed.serving(folder=folder) as server:
        wait_for("a line about it", lambda: server.process.poll() is not None or "export" in server.output)
        output = server.output
        if server.process.poll() is None and server.client.get("/v1/models").status == 200:
            expect_in("output", "last key", output)
    return f"404 for the old response; after the last key: {output.splitlines()[0]}"


@row("8")
def health_for_everybody(bed: Testbed) -> str:
    "`/health` is requested without a key, while the server has keys and a turn waits in the spool."
    folder = bed.folder()
    key = new_key(bed, folder, "laptop")
    with bed.serving(folder=folder) as server:
        mine = server.client.with_key(key)
        mine.chat(bed.ollama.play(HELLO).word)
        spool = server.spool
        spool.mkdir(exist_ok=True)
        (spool / "01broken.json").write_text("{")
        mine.chat(bed.ollama.play(HELLO).word)
        public, private = server.client.get("/health"), mine.get("/health")
    expect("statuses", (public.status, private.status), (200, 200))
    for part in (str(folder), "01broken", "logs.db"):
        expect(f"{part} without a key", part in public.text, False)
    return f"without a key: {public.text}"


def outside_address() -> str | None:
    "Return an address of this machine that is not a loopback address."
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address


def check_state(bed: Testbed, client: Client) -> None:
    "Either all state works for this client, or it is refused at once."
    stored = client.respond(bed.ollama.play(HELLO).word, store=True)
    if stored.status != 200:
        expect("a refusal", 400 <= stored.status < 500, True)
        return
    id = stored.json()["id"]
    expect("the stored response", client.get(f"/v1/responses/{id}").status, 200)
    following = client.respond(bed.ollama.play(HELLO).word, previous_response_id=id)
    expect("its continuation", following.status, 200)
    queued = client.respond(bed.ollama.play(HELLO).word, background=True)
    path = f"/v1/responses/{queued.json()['id']}"
    wait_for("the background response", lambda: client.get(path).json().get("status") == "completed")
    conversation = client.post("/v1/conversations", {}).json()["id"]
    word = bed.ollama.play(HELLO).word
    expect("a response in it", client.respond(word, conversation=conversation).status, 200)
    items = client.get(f"/v1/conversations/{conversation}/items").json()["data"]
    expect("its items", len(items), 2)
    completion = client.chat(bed.ollama.play(HELLO).word, store=True).json()["id"]
    expect("the stored completion", client.get(f"{CHAT}/{completion}").status, 200)


@row("12")
def state_for_clients_without_a_key(bed: Testbed) -> str:
    "--host 0.0.0.0 --allow-unauthenticated: a client from outside stores, continues and retrieves."
    with bed.serving("--host", "0.0.0.0", "--allow-unauthenticated") as server:
        address = outside_address()
        client = replace(server.client, host=address or "127.0.0.1")
        check_state(bed, client)
        check_log(server)
    place = "an address of the network" if address else "loopback, as this machine has no other address"
    return f"what was answered with 200 is found again, from {place}"


def check_log(server: Server) -> None:
    expect("exit status", server.stop(), 0)
    server.log.check()
