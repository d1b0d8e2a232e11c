"""What an administrator uses: the command line, the control socket, the HTTP pages, demo data."""
