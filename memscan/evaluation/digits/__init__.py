"""How well probes find what a model memorised, on a model of digits that was made to memorise.

Needs torch and scikit-learn (extra diffusion).
"""
