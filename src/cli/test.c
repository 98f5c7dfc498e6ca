/* cli/test.c -- scores a model on data.val. */
#include "base/path.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "train/evaluate.h"

const struct option test_options[] = {
    { "weights", "FILE", NULL, "weights of the model, in any format (default: schedule.load_model)" },
    { "json",    "FILE", NULL, "write the score there; the table goes to stderr instead of stdout" },
    { "dets",    "FILE|DIR", NULL, "write the detections there, as COCO result JSON or, into a folder, as VisDrone's "
                                   "text files" },
    { "report",  "DIR", NULL, "write report.html and report.json there: scores, errors, curves, the worst images" },
    { "tiles",   "SIZE", NULL, "also detect in tiles of SIZE pixels: N, WxH or auto, the "
                               "input size (default: data.val.tiles)" },
    {0} };

static bool watch(void *shown, int images, int all)
{
    int *before = shown;
    show_progress(*before, images, all);
    *before = images;
    return true;
}

/* A file of weights describes its model, not the data. */
static bool data_given(const struct args *args, const struct data_config *data, struct error *err)
{
    return args->config || *data->img_path || *data->ann_path
        || misuse(err, "test: without CONFIG give the data as data.val.name=NAME data.val.img_path=FOLDER "
                  "data.val.ann_path=PATH");
}

/* reports[1]: by the VisDrone toolkit. */
static bool make_reports(struct score_report reports[2], const struct evaluation *found, struct error *err)
{
    if (!report_coco(&reports[0], &found->score, err))
        return false;
    reports[0].curves = &found->curves;
    reports[0].visdrone = found->has_visdrone ? &reports[1] : NULL;
    return !found->has_visdrone || report_visdrone(&reports[1], &found->visdrone, err);
}

bool test_run(const struct args *args, struct error *err)
{
    struct session session = {0};
    struct evaluator *evaluator = NULL;
    struct evaluation found = {0};
    struct score_report reports[2] = {0};
    const char *dets = args_text(args, "dets"), *report = args_text(args, "report"), *json = args_text(args, "json");
    int shown = 0;
    const struct progress_callback progress = { watch, &shown };
    const bool ok = session_open(&session, args, err) && session_tiles(&session, args, err)
                 && data_given(args, &session.config.val, err)
                 && session_load(&session, args, err) && (!report || make_folders(report, err))
                 && (evaluator = evaluator_open(&session.model, &session.policy, err))
                 && show_notes(evaluator_dataset(evaluator), "data.val", err)
                 && evaluator_run(evaluator, session.model.params.value, &progress, &found, err)
                 && make_reports(reports, &found, err)
                 && (!dets || detections_write(&found.detections, dets, evaluator_dataset(evaluator), err))
                 && (!report || evaluation_report(evaluator, &found, session_weights(&session, args), report, err))
                 && (!json || show_score(reports, err)) && write_score(reports, json, err);
    report_free(&reports[0]);
    report_free(&reports[1]);
    evaluation_free(&found);
    evaluator_close(evaluator);
    session_close(&session);
    return ok;
}
