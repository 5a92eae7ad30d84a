"The numbers of `GET /metrics`: what they are, who counts them, and how those of several workers are summed."
