"""Support for pytest: the plugin for users' projects, and helpers of matched tests."""
