// One page with every figure and one table with every metric; it names the samples that have failed, and why.
process REPORT {
    label 'light'

    input:
    val samples
    path results, stageAs: 'results/*'
    val failures

    output:
    path "report.html", emit: page
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
    mkdir -p results
    make_report.py --results results failures.json --samplesheet samples.csv
    """

    stub:
    """
    touch report.html metrics.tsv
    """
}
