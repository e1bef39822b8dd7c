"""Nothing goes round the record store unseen: what guards it is fingerprinted and watched."""
