"""The version by which SPOTs know the coordinator: that of the protocol they speak."""

VERSION = "2.0.0"
