"""What every simulation needs: clock, ledger, random streams."""
