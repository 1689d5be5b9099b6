// An index, a page for each sample and one table with every metric; it names the samples that have failed, and why.
process REPORT {
    label 'light'

    input:
    val samples
    path results, stageAs: 'results/*'
    val failures

    output:
    path "report.html", emit: page
    path "report", emit: samples
    path "metrics.tsv", emit: metrics

    script:
    """
    cat > samples.csv <<'END'
    cell_type,replicate,resolution
    ${samples.collect { meta -> [meta.cell_type, meta.replicate, meta.resolution].join(',') }.join('\n    ')}
    END
    cat > failures.json <<'END'
    ${groovy.json.JsonOutput.toJson(failures)}
    END
    cat > parameters.json <<'END'
    ${groovy.json.JsonOutput.toJson(params)}
    END
    mkdir -p results
    make_report.py --results results failures.json --samplesheet samples.csv --parameters parameters.json --published
    """

    stub:
    """
    mkdir report
    touch report.html metrics.tsv
    """
}
