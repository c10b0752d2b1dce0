"""Every fingerprint on the images of every model: which models come from which.

Generators that were fine-tuned keep the fingerprint of what they were made from (DIF, WACV 2024).
"""
