"""Background jobs that commit together with your data. The public names; nothing else is here."""
