"""What imports into secrets and into certificates of a vault have in common."""
