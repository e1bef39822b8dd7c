"""A witness: another party's process that cosigns checkpoints and refuses rollback and forks.

It speaks C2SP tlog-witness, keeps its own key and state in its own folder, and knows nothing of
the product but the format of checkpoints: ``python -m audit.witness``.
"""
