"""The process that holds a model in memory: llama.cpp, and its own server, listening on this machine only.

Run by its path, so that nothing of llm is imported. One line of JSON comes in (`Load.told`), one goes out:
where it listens, or why it does not. It ends when its standard input does, so with the program that started
it.
"""

import json
import os
import sys
from typing import Any, TextIO


def serve(told: dict[str, Any], out: TextIO) -> Any:
    "The server, which has to be kept. What it could not do is said, and None returned."
    import xllamacpp

    if told["needed"] is not None:
        graphics = sum(_free_graphics(xllamacpp)) if told["gpu_layers"] != 0 else 0
        if told["needed"] > told["available"] + graphics:
            print(json.dumps({"short": True, "graphics": graphics}), file=out, flush=True)
            return None
    try:
        server = xllamacpp.Server(_params(xllamacpp, told))
    except RuntimeError as problem:
        print(json.dumps({"failed": str(problem)}), file=out, flush=True)
        return None
    print(json.dumps({"url": server.listening_address}), file=out, flush=True)
    return server


def _params(xllamacpp: Any, told: dict[str, Any]) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = told["path"]
    params.port = 0
    params.api_keys = [told["key"]]
    params.ui = False
    params.verbosity = 1
    params.n_ctx = told["context"]
    # Several answers at once share one context.
    params.n_parallel, params.kv_unified = told["slots"], True
    params.cache_ram_mib = 1024
    params.n_gpu_layers = told["gpu_layers"]
    if told["threads"]:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = told["threads"]
    # As OpenAI advises for gpt-oss: nothing is cut off the choice of tokens.
    sampling = params.sampling
    sampling.temp, sampling.top_p, sampling.top_k, sampling.min_p = 1.0, 1.0, 0, 0.0
    return params


def _free_graphics(xllamacpp: Any) -> list[int]:
    return [
        device["memory_free"]
        for device in xllamacpp.get_device_info()
        if device["type"] != xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_CPU
    ]


def main() -> None:
    del sys.path[0]  # this folder, whose names are not for others
    # llama.cpp's own words go where errors go, whatever it prints them on.
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)
        server = serve(json.loads(sys.stdin.readline()), out)
    if server is not None:
        sys.stdin.read()
    # Nothing is to be tidied up, and a model of many gigabytes takes its time.
    os._exit(0)


if __name__ == "__main__":
    main()
