"The context length that Ollama gives a model whose model file sets none."

from __future__ import annotations

from ...settings import Settings
from ..local import gpu

# The bytes of GPU memory from which Ollama uses a longer context (`Serve` in its server/routes.go).
CONTEXT_BY_GPU_MEMORY = ((47 << 30, 262_144), (23 << 30, 32_768), (0, 4096))


def default_context_length(settings: Settings) -> int | None:
    """Return the default of the Ollama that the settings name, None if it is unknown.

    OLLAMA_CONTEXT_LENGTH decides, then the memory of the GPUs. Neither can be seen on another machine.
    """
    if length := settings.ollama_context_length:
        return length
    if not settings.server.loopback:
        return None
    least, most = (_context_for(size) for size in gpu.gpu_memory())
    return least if least == most else None


def _context_for(gpu_memory: int) -> int:
    return next(context for size, context in CONTEXT_BY_GPU_MEMORY if gpu_memory >= size)
