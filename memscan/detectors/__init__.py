"""The learned detectors: encoders of images, and scorers of pairs, with weights in a file.

Only this room imports torch, onnxruntime, safetensors and diffusers, and only in the modules that
need them: what is in ``cards`` and ``protocol`` costs nothing to load.
"""
