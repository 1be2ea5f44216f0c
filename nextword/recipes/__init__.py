"""Whole journeys made of the stages."""
