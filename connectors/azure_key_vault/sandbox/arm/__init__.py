"""Azure Resource Manager, as much of it as vaults need: groups, vaults and their life, policies, roles, networks."""
