"""What every room needs: records, the LanguageModel port, errors, settings, files, progress, guards."""
