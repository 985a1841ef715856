"""Conditional Access policies for Microsoft Tunnel: declared in a file, planned, evaluated, applied."""
