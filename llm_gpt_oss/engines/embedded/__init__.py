"llama.cpp on this machine, in a process that we start."
