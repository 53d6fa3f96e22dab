package org.tfminilm.demo

import android.os.Looper
import android.view.View
import android.widget.EditText
import android.widget.RadioGroup
import android.widget.Spinner
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
        for (task in TASKS) install(task)
        controller = Robolectric.buildActivity(MainActivity::class.java).setup()
        settle()
    }

    /** What a test does before there is an activity. */
    protected open fun prepare() = Unit

    @After
    fun stop() {
        controller.close()
    }

    protected fun install(task: String, name: String = task) {
        Golden.file(task).copyRecursively(File(app.filesDir, "bundles/$name"), overwrite = true)
    }

    /** Until the models and what they show are done. */
    protected fun settle() = repeat(3) {
        shadowOf(Looper.getMainLooper()).idle()
        app.models.await()
        shadowOf(Looper.getMainLooper()).idle()
    }

    protected fun <T : View> find(id: Int): T = activity.findViewById(id)

    protected fun text(id: Int) = find<TextView>(id).text.toString()

    protected fun type(id: Int, text: String) {
        find<EditText>(id).setText(text)
        settle()
    }

    protected fun turn(qualifiers: String) {
        RuntimeEnvironment.setQualifiers(qualifiers)
        controller.recreate()
        settle()
    }

    protected fun choosePairs() {
        install("pairs")
        open(R.id.question_tab)
        open(R.id.sentiment_tab)
        find<Spinner>(R.id.sentiment_model).setSelection(1)
        settle()
    }

    protected fun open(tab: Int) {
        find<RadioGroup>(R.id.tabs).check(tab)
        settle()
    }

    /** Takes the threshold from the model for questions, as its weights are random. */
    protected fun answerEveryQuestion() {
        val file = File(app.filesDir, "bundles/question_answering/${BundleManifest.FILE}")
        val json = JSONObject(file.readText())
        json.getJSONObject("question_answering").put("null_threshold", JSONObject.NULL)
        file.writeText(json.toString())
    }

    private companion object {
        val TASKS = listOf("encoder", "classification", "question_answering")
    }
}
