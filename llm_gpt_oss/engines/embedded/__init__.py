"""The engine `embedded`: llama.cpp on this machine, in a process that the plugin starts."""
