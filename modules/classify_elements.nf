// Which elements the vectors know: every line of the annotation sheet, held out, beside other representations and controls.
process CLASSIFY_ELEMENTS {
    tag "${meta.id}"
    label 'light'

    input:
    tuple val(meta), path(map), path(representations), val(elements), path(files, stageAs: 'annotation?/*')

    output:
    path "${meta.id}.classify*.{json,tsv,svg}", emit: report
    path "${meta.id}.classify.predictions.parquet", emit: predictions

    script:
    // `elements`: cell_type, element, column and threshold of each of `files`, in their order.
    def given = files instanceof List ? files : [files]
    def rows = [elements, given].transpose().collect { row, file -> [row.cell_type, row.element, file, row.column ?: '', row.threshold ?: ''].join(',') }
    """
    cat > annotations.csv <<'END'
    cell_type,element,file,column,threshold
    ${rows.join('\n    ')}
    END
    classify_elements.py --contacts ${map} --annotations annotations.csv --seed ${params.seed} \\
        --representations ${representations} pca sci sniper_intra position coverage \\
        --representation-size ${params.representation_size}
    """

    stub:
    """
    touch ${meta.id}.classify.metrics.tsv ${meta.id}.classify.predictions.parquet
    """
}
