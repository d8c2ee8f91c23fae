"""What all compiled kernels stand on: threads, the cache, fast maths and the canvas' constants."""
