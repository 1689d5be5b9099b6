// Which positions drive the map: integrated gradients, barrier costs and knockouts of every bin, and what lies there.

include { annotationSheet } from '../subworkflows/sheets'

process ATTRIBUTE_POSITIONS {
    tag "${meta.id}"
    label 'light'

    input:
    tuple val(meta), path(map), path(model), val(elements), path(files, stageAs: 'annotation?/*'), path(fasta, stageAs: 'genome/*'), path(truth, stageAs: 'truth/*')

    output:
    tuple val(meta), path("${meta.id}.attribution.bw"), emit: attribution
    path "${meta.id}.{attribution.tsv,attribution.bedGraph,barrier_cost.bw,knockout.bw,hub}", emit: tracks
    path "${meta.id}.attribute*.{json,tsv,svg}", emit: report

    script:
    """
    cat > annotations.csv <<'END'
    ${annotationSheet(elements, files)}
    END
    attribute_positions.py --contacts ${map} --model ${model} --annotations annotations.csv --seed ${params.seed} \\
        --threads ${task.cpus} ${fasta ? "--fasta ${fasta}" : ''} ${truth ? "--truth ${truth}" : ''} \\
        ${params.regions ? "--regions ${params.regions.tokenize(',').join(' ')}" : ''} ${task.ext.args ?: ''}
    """

    stub:
    """
    touch ${meta.id}.attribution.{bw,bedGraph,tsv} ${meta.id}.knockout.bw ${meta.id}.attribute.metrics.tsv
    """
}
