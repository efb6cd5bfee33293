"""What /metrics says, read as Prometheus does."""

from prometheus_client.parser import text_string_to_metric_families


def samples(text):
    """The value of each sample, by its name and its labels in order of their names."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found, name, **labels):
    """The values of a metric whose samples have these labels, by the others."""
    given = set(labels.items())
    return {
        tuple(value for _, value in sorted(set(key[1:]) - given)): value
        for key, value in found.items()
        if key[0] == name and given <= set(key[1:])
    }
