"""Pure rules: an observation and a record give a verdict; a verdict and an expectation give a status."""
