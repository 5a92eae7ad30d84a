"""The process that has a model in memory: llama.cpp and its HTTP server, which listens on this machine only.

This file is run by its path, so that nothing of llm is imported. It reads one line of JSON from standard
input (`LoadOptions.host_request`) and writes one line: {"url": ...} if the model is loaded, {"error": ...} if
it cannot be, or {"free_gpu_memory": bytes} if it would not fit into memory. The process ends when its
standard input does, so it ends with the program that started it.
"""

import json
import os
import sys
import time
from typing import Any, TextIO

# Seconds that llama.cpp gets to write its log after an error. It does so in a thread of its own.
LOG_DELAY = 0.3


def serve(request: dict[str, Any], out: TextIO) -> Any:
    """Load the model, start its server, and write the response line to `out`.

    Return the server, or None if it did not start. The caller must keep the server: deleting it stops it.
    """
    import xllamacpp

    if request["required_memory"] is not None:
        free = sum(_free_gpu_memory(xllamacpp)) if request["gpu_layers"] != 0 else 0
        if request["required_memory"] > request["available_memory"] + free:
            print(json.dumps({"free_gpu_memory": free}), file=out, flush=True)
            return None
    try:
        server = xllamacpp.Server(_params(xllamacpp, request))
    except RuntimeError as problem:
        print(json.dumps({"error": str(problem)}), file=out, flush=True)
        return None
    print(json.dumps({"url": server.listening_address}), file=out, flush=True)
    return server


def _params(xllamacpp: Any, request: dict[str, Any]) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = request["path"]
    params.port = 0
    params.api_keys = [request["key"]]
    params.ui = False
    params.verbosity = 1
    params.n_ctx = request["context"]
    # All slots share one context.
    params.n_parallel, params.kv_unified = request["slots"], True
    params.cache_ram_mib = 1024
    params.n_gpu_layers = request["gpu_layers"]
    if request["threads"]:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = request["threads"]
    # OpenAI's recommendation for gpt-oss: temperature 1, and no token is excluded.
    sampling = params.sampling
    sampling.temp, sampling.top_p, sampling.top_k, sampling.min_p = 1.0, 1.0, 0, 0.0
    return params


def _free_gpu_memory(xllamacpp: Any) -> list[int]:
    return [
        device["memory_free"]
        for device in xllamacpp.get_device_info()
        if device["type"] != xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_CPU
    ]


def main() -> None:
    del sys.path[0]  # this folder, whose modules must not hide others
    # Whatever llama.cpp prints goes to standard error, so standard output has only the response.
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)
        server = serve(json.loads(sys.stdin.readline()), out)
    if server is None:
        time.sleep(LOG_DELAY)
    else:
        sys.stdin.read()
    # Exit without cleaning up, which takes long for a large model.
    os._exit(0)


if __name__ == "__main__":
    main()
