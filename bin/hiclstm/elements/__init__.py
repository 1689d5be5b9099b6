"""Which genomic elements the vectors know: labels of bins from annotations, classifiers, held-out scores."""
