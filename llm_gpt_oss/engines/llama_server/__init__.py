"llama.cpp's own server at an address."
