"The HTTP client, and the engine on top of it, for all engines that are HTTP servers."
