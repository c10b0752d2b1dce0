"""Who made an image: images compared with the fingerprints of generators, and how well that works.

The scores say nothing about copies. The method is DIF (WACV 2024).
"""
