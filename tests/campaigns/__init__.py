"""Long runs behind one command each; the suite has a short form of every one."""
