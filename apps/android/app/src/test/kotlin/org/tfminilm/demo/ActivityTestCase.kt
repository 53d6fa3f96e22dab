package org.tfminilm.demo

import android.app.Activity
import android.app.AlertDialog
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Canvas
import android.net.Uri
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.RadioGroup
import android.widget.TextView
import java.io.File
import org.json.JSONObject
import org.junit.After
import org.junit.Before
import org.junit.runner.RunWith
import org.junit.runners.model.FrameworkMethod
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.internal.bytecode.InstrumentationConfiguration
import org.robolectric.shadows.ShadowAlertDialog
import org.tfminilm.BundleManifest
import org.tfminilm.Golden

/** One copy of JNA and LiteRT, as their native halves know one only. */
class Runner(test: Class<*>) : RobolectricTestRunner(test) {
    override fun createClassLoaderConfig(method: FrameworkMethod): InstrumentationConfiguration =
        InstrumentationConfiguration.Builder(super.createClassLoaderConfig(method))
            .doNotAcquirePackage("com.sun.jna.")
            .doNotAcquirePackage("org.tensorflow.lite.")
            .build()
}

/** An activity with small models, and hands to use it. */
@RunWith(Runner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = "w360dp-h640dp-xhdpi")
abstract class ActivityTestCase {
    protected lateinit var controller: ActivityController<MainActivity>
    protected val activity: MainActivity get() = controller.get()
    protected val app get() = RuntimeEnvironment.getApplication() as DemoApp

    @Before
    fun start() {
        prepare()
        launch(Intent(app, MainActivity::class.java))
    }

    /** What a test does before there is an activity. */
    protected open fun prepare() = TASKS.forEach { install(it) }

    protected fun launch(intent: Intent) {
        app.catalog.refresh()
        controller = Robolectric.buildActivity(MainActivity::class.java, intent).setup()
        settle()
    }

    @After
    fun stop() {
        app.imports.cancel()
        app.benchmarks.cancel()
        controller.close()
    }

    protected fun install(task: String, name: String = task) {
        Golden.file(task).copyRecursively(File(app.filesDir, "bundles/$name"), overwrite = true)
    }

    /** Until the models and what they show are done. */
    protected fun settle() = repeat(4) {
        shadowOf(Looper.getMainLooper()).idle()
        app.awaitDisk()
        shadowOf(Looper.getMainLooper()).idle()
        app.models.await()
        shadowOf(Looper.getMainLooper()).idle()
    }

    protected fun <T : View> find(id: Int): T = activity.findViewById(id)

    protected fun text(id: Int) = find<TextView>(id).text.toString()

    protected fun isShown(id: Int) = find<View>(id).visibility == View.VISIBLE

    protected fun press(id: Int, from: Activity = activity) {
        from.findViewById<View>(id).performClick()
        settle()
    }

    protected fun type(id: Int, text: String) {
        find<EditText>(id).setText(text)
        settle()
    }

    protected fun turn(qualifiers: String) {
        RuntimeEnvironment.setQualifiers(qualifiers)
        controller.recreate()
        settle()
    }

    /** The labels of the bars in a group, the longest first. */
    protected fun bars(id: Int, from: Activity = activity): List<String> {
        val group: LinearLayout = from.findViewById(id)
        return List(group.childCount) {
            val row = group.getChildAt(it)
            val label = row.findViewById<TextView>(R.id.bar_label).text
            "$label ${row.findViewById<TextView>(R.id.bar_value).text}".trim()
        }
    }

    /** Answers the dialog that is open. */
    protected fun answerDialog(at: Int) {
        val dialog = ShadowAlertDialog.getLatestDialog() as AlertDialog
        if (dialog.listView == null) {
            dialog.getButton(at).performClick()
        } else {
            dialog.listView.performItemClick(null, at, at.toLong())
        }
        settle()
    }

    /** Opens the screen that was started last. */
    protected fun <T : Activity> screen(type: Class<T>): ActivityController<T> {
        val intent = shadowOf(activity).nextStartedActivity
        val opened = Robolectric.buildActivity(type, intent).setup()
        settle()
        return opened
    }

    protected fun choosePairs() {
        install("pairs")
        app.catalog.refresh()
        app.settings.choose("classify", "pairs")
        settle()
    }

    protected fun open(tab: Int) {
        find<RadioGroup>(R.id.tabs).check(tab)
        settle()
    }

    /** Picks a file where the app has asked for one. */
    protected fun answerPicker(file: Uri) {
        val asked = shadowOf(activity).nextStartedActivityForResult
        shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, Intent().setData(file))
    }

    /** Takes the threshold from the model for questions, as its weights are random. */
    protected fun answerEveryQuestion() {
        val file = File(app.filesDir, "bundles/question_answering/${BundleManifest.FILE}")
        val json = JSONObject(file.readText())
        json.getJSONObject("question_answering").put("null_threshold", JSONObject.NULL)
        file.writeText(json.toString())
        app.catalog.refresh()
        settle()
    }

    /** All views of an activity, those of hidden pages too. */
    protected fun views(root: View = find(android.R.id.content)): Sequence<View> = sequence {
        yield(root)
        if (root is ViewGroup) for (at in 0 until root.childCount) yieldAll(views(root.getChildAt(at)))
    }

    protected fun draw(from: Activity): Bitmap {
        val view = from.window.decorView
        val bitmap = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
        view.draw(Canvas(bitmap))
        return bitmap
    }

    protected fun save(bitmap: Bitmap, name: String) {
        val folder = System.getProperty("tfminilm.screenshots") ?: return
        File(folder, name).outputStream().use { bitmap.compress(Bitmap.CompressFormat.PNG, 90, it) }
    }

    protected companion object {
        val TASKS = listOf("encoder", "classification", "question_answering")
        val TABS = mapOf(
            "classify" to R.id.classify_tab,
            "ask" to R.id.ask_tab,
            "notes" to R.id.notes_tab,
            "models" to R.id.models_tab,
            "speed" to R.id.speed_tab,
        )
    }
}
