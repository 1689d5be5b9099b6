// What contacts become when the genome is changed: variants, knockouts, and on simulated data how true that is.

include { annotationSheet } from '../subworkflows/sheets'

process PERTURB_GENOME {
    tag "${meta.id}"
    label 'light'

    input:
    tuple val(meta), path(map), path(model), val(elements), path(files, stageAs: 'annotation?/*'), path(variants, stageAs: 'variants/*'), path(truth, stageAs: 'truth/*')

    output:
    path "${meta.id}.*.{wt,alt,delta,rearranged}.mcool", emit: maps, optional: true
    path "${meta.id}.*.change.bw", emit: tracks, optional: true
    path "${meta.id}.*.{json,tsv,svg}", emit: report

    script:
    // Exit status 3: all was done but variants that cannot be made here, which are named.
    """
    cat > annotations.csv <<'END'
    ${annotationSheet(elements, files)}
    END
    perturb_genome.py --contacts ${map} --model ${model} --annotations annotations.csv --seed ${params.seed} \\
        --random-loci ${params.random_loci} --most-sites ${params.most_sites} --cases ${params.simulate_cases} \\
        --threads ${task.cpus} ${variants ? "--variants ${variants}" : ''} ${truth ? "--truth ${truth}" : ''} ${task.ext.args ?: ''} || [[ \$? -eq 3 ]]
    """

    stub:
    """
    touch ${meta.id}.variants.tsv ${meta.id}.perturb.metrics.tsv
    """
}
