"""The whole story on one machine: a sandbox, two vaults, a file between them, and the proof that nothing was lost."""
