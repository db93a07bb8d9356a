"""`sidework demo`: the main job on real input, with a worker killed half way, and a check of what came out."""
