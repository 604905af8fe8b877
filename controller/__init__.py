"""Shifu (市府): the building-management controller. Start reading at `controller.app` and `controller.cycle`."""
