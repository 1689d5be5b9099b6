// Which elements the vectors know: every line of the annotation sheet, held out, beside other representations and controls.

include { annotationSheet } from '../subworkflows/sheets'

process CLASSIFY_ELEMENTS {
    tag "${meta.id}"
    label 'light'

    input:
    tuple val(meta), path(map), path(representations), val(elements), path(files, stageAs: 'annotation?/*')

    output:
    path "${meta.id}.classify*.{json,tsv,svg}", emit: report
    path "${meta.id}.classify.predictions.parquet", emit: predictions

    script:
    """
    cat > annotations.csv <<'END'
    ${annotationSheet(elements, files)}
    END
    classify_elements.py --contacts ${map} --annotations annotations.csv --seed ${params.seed} \\
        --representations ${representations} ${task.ext.beside ?: 'pca sci sniper_intra position coverage'} \\
        --representation-size ${params.representation_size} ${task.ext.args ?: ''}
    """

    stub:
    """
    touch ${meta.id}.classify.metrics.tsv ${meta.id}.classify.predictions.parquet
    """
}
