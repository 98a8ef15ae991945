"""For pytest: the plugin for users' projects, and the helpers of matched tests."""
