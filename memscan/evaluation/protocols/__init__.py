"""The protocols by which LCMem and DeepSSIM were measured, for any detectors in one table.

Each has a module with one function that gives a :class:`memscan.protocols.Comparison`. Halves share
no photograph and no identity; thresholds come from one half, numbers from the other.
"""
