"""How the product is put together: settings, addresses, processes."""
