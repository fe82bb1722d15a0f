"""The rules, without a clock, a network or an environment: values in, values out."""
